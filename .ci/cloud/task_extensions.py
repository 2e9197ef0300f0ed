"""What the stand-in of Fargate lacks: secrets in the environment of a container, read when it starts.

Imported by .ci/cloud/python's interpreter when it runs tasks.
"""
import boto3
from tasks import containers

_options = containers._options


def _with_secrets(definition, container, slot):
    client = boto3.client("secretsmanager")
    read = lambda arn: client.get_secret_value(SecretId=arn)["SecretString"]
    secrets = [{"name": it["name"], "value": read(it["valueFrom"])} for it in container.get("secrets") or []]
    return _options(definition, {**container, "secrets": [], "environment": [*container.get("environment", []), *secrets]}, slot)


containers._options = _with_secrets
