"""Signs requests with botocore, sends them, and prints what came back: one line of JSON a request."""

import http.client
import json
import sys
from urllib.parse import urlsplit

from botocore.auth import (
    S3SigV4Auth,
    S3SigV4QueryAuth,
    SigV4Auth,
    SigV4QueryAuth,
)
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def send(request, body=None):
    url = urlsplit(request.url)
    connection = http.client.HTTPConnection(url.netloc, timeout=30)
    target = url.path + ("?" + url.query if url.query else "")
    headers = dict(request.headers.items())
    connection.request(request.method, target, body=body, headers=headers)
    answer = connection.getresponse()
    connection.close()
    return answer.status, answer.getheader("x-amzn-errortype")


def main():
    base, s3 = sys.argv[1], sys.argv[2]
    key = Credentials("AKIDPARTNERA", "partner-a-secret")
    temporary = Credentials("AKIDTEMPORARY", "temporary-secret", "a/session+token==")
    stranger = Credentials("AKIDPARTNERA", "another-secret")
    region = "eu-central-1"

    def ask(name, auth, method, url, data=None, sent=None, **headers):
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        request = AWSRequest(method=method, url=url, data=data, headers=fields)
        auth.add_auth(request)
        body = data if sent is None else sent
        print(json.dumps([name, *send(request.prepare(), body)]))

    header = SigV4Auth(key, "execute-api", region)
    ask("get", header, "GET", base + "/items")
    ask("root", header, "GET", base + "/")
    ask("query", header, "GET", base + "/items?b=2&a=1&b=1&empty=&plain&sp=a%20b&t=%2B%2F%3D~")
    ask("path", header, "GET", base + "/items/a%20b/%E1%88%B4/x:y@z/~t")
    ask("dots", header, "GET", base + "/items/../items/./a//b")
    ask("post", header, "POST", base + "/items", b'{"name": "a"}', content_type="application/json")
    ask("folded", header, "GET", base + "/items", x_amz_meta="  a   b  ", x_note='"c  d"')
    ask("changed body", header, "POST", base + "/items", b"signed", b"forged")
    ask("wrong secret", SigV4Auth(stranger, "execute-api", region), "GET", base + "/items")
    ask("other region", SigV4Auth(key, "execute-api", "us-east-1"), "GET", base + "/items")
    ask("other service", SigV4Auth(key, "lambda", region), "GET", base + "/items")
    ask("temporary", SigV4Auth(temporary, "execute-api", region), "GET", base + "/items")
    presigned = SigV4QueryAuth(key, "execute-api", region, expires=60)
    ask("presigned", presigned, "GET", base + "/items?b=2&a=1")
    ask("presigned temporary", SigV4QueryAuth(temporary, "execute-api", region, expires=60), "GET", base + "/items")
    ask("s3 put", S3SigV4Auth(key, "s3", region), "PUT", s3 + "/items/a%20b/c/d", b"content")
    ask("s3 empty segment", S3SigV4Auth(key, "s3", region), "PUT", s3 + "/items/a%20b/c//d", b"content")
    ask("s3 presigned", S3SigV4QueryAuth(key, "s3", region, expires=60), "GET", s3 + "/items/a%20b")
    ask("s3 presigned put", S3SigV4QueryAuth(key, "s3", region, expires=60), "PUT", s3 + "/items/a", sent=b"any")


main()
