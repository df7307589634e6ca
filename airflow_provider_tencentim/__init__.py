"""Airflow provider for Tencent Cloud Chat (IM)."""

# Every Airflow process imports this module while Airflow itself is half loaded: literals only.
__version__ = "0.1.0"
