"""The REST API of Tencent Cloud Chat (IM) as plain Python."""
