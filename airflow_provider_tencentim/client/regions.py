"""Where the REST API of each data center answers.

The seven regions of the endpoint pages, and Tokyo, which only the newest overview page names
(document 269/1519). The pages disagree on Mumbai and Jakarta: each is missing from some of them.
"""

from __future__ import annotations

DEFAULT_REGION = "china"

REGIONS: dict[str, str] = {
    "china": "console.tim.qq.com",
    "singapore": "adminapisgp.im.qcloud.com",
    "seoul": "adminapikr.im.qcloud.com",
    "tokyo": "adminapijpn.im.qcloud.com",
    "frankfurt": "adminapiger.im.qcloud.com",
    "mumbai": "adminapiind.im.qcloud.com",
    "silicon_valley": "adminapiusa.im.qcloud.com",
    "jakarta": "adminapiidn.im.qcloud.com",
}
