"""Stores an object with AWS's client, as it does over TLS without being told anything, and prints what came of it."""

import io
import json
import sys

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError


def main():
    store, authority = sys.argv[1:]
    client = botocore.session.Session().create_client(
        "s3",
        endpoint_url=store,
        verify=authority,
        region_name="eu-central-1",
        aws_access_key_id="AKIDPARTNERA",
        aws_secret_access_key="partner-a-secret",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, connect_timeout=10, read_timeout=30),
    )
    try:
        client.put_object(Bucket="bucket", Key="a key", Body=io.BytesIO(b"content"))
        said = "stored"
    except ClientError as error:
        said = str(error.response["ResponseMetadata"]["HTTPStatusCode"])
    print(json.dumps([said]))


main()
