"""AWS and all other outbound HTTP: the only importer of requests, requests_aws4auth and botocore."""
