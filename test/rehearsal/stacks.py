"""Proves that stacks of a rehearsal behave as CloudFormation's: what refers to a replaced resource is updated with it,
a parameter keeps its default, a failed update is taken back, and what is to be kept outlives its stack.

It takes the packages of rehearsal/aws/requirements.txt; .ci/rehearse runs it.
"""
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
url = f"http://localhost:{port}"
script = Path(__file__).parent.parent.parent / "rehearsal/aws/server.py"
env = {**os.environ, "NODE": "node", "NODE_MODULES": "node_modules", "PYTHONDONTWRITEBYTECODE": "1"}
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
server = subprocess.Popen([sys.executable, str(script), str(port)], env=env, **quiet)
keys = {"aws_access_key_id": "rehearsal", "aws_secret_access_key": "rehearsal"}
cloudformation = boto3.client("cloudformation", endpoint_url=url, region_name="us-east-1", **keys)


def ask(path):
    return json.load(urllib.request.urlopen(f"{url}/rehearsal/{path}"))


def template(cpu, fails=False, has_table=True):
    resources = {
        "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"Family": "f", "Cpu": cpu}},
        "Service": {
            "Type": "AWS::ECS::Service",
            "Properties": {"Cluster": "c", "TaskDefinition": {"Ref": "Task"}, "Name": {"Ref": "Name"}},
        },
    }
    if has_table:
        resources["Table"] = {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": {}}
    if fails:
        resources["Bad"] = {"Type": "Custom::Bad", "DependsOn": "Service", "Properties": {"ServiceToken": "nowhere"}}
    parameters = {"Name": {"Type": "String", "Default": "given"}}
    outputs = {"Task": {"Value": {"Ref": "Task"}}}
    return json.dumps({"Parameters": parameters, "Resources": resources, "Outputs": outputs})


def update(body):
    parameters = [{"ParameterKey": "Name", "UsePreviousValue": True}]
    cloudformation.update_stack(StackName="S", TemplateBody=body, Parameters=parameters)
    return ask("stacks/S")


def check(what, is_so):
    if not is_so:
        raise SystemExit(f"not so: {what}")
    print(f"{what}")


try:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/moto-api/")
            break
        except OSError:
            time.sleep(0.1)
    cloudformation.create_stack(StackName="S", TemplateBody=template("256"))
    made = ask("stacks/S")
    revision = made["resources"]["Task"]["id"]
    service = made["resources"]["Service"]
    expected = {"Cluster": "c", "TaskDefinition": revision, "Name": "given"}
    check("references and defaults are resolved", service["properties"] == expected)
    table = made["resources"]["Table"]["id"]

    changed = update(template("512"))["resources"]
    check("a changed task definition is another", changed["Task"]["id"] != revision)
    check("what refers to it is updated", changed["Service"]["properties"]["TaskDefinition"] == changed["Task"]["id"])
    check("what is not replaced stays", changed["Table"]["id"] == table and changed["Service"]["id"] == service["id"])

    failed = update(template("1024", fails=True))
    check("a failed update is known", failed["status"] == "UPDATE_ROLLBACK_COMPLETE")
    check("it is taken back", failed["resources"]["Task"]["properties"]["Cpu"] == "512")
    check("so is what it had added", "Bad" not in failed["resources"])
    events = cloudformation.describe_stack_events(StackName="S")["StackEvents"]
    check("the reason is told", any("nowhere" in it.get("ResourceStatusReason", "") for it in events))
    outputs = cloudformation.describe_stacks(StackName="S")["Stacks"][0]["Outputs"]
    check("outputs are those of the resources", outputs[0]["OutputValue"] == failed["resources"]["Task"]["id"])

    check("what the template lacks is gone", "Table" not in update(template("512", has_table=False))["resources"])
    check("or kept, where it is to be", [it["id"] for it in ask("retained")] == [table])
    cloudformation.delete_stack(StackName="S")
    left = cloudformation.list_stacks(StackStatusFilter=["UPDATE_COMPLETE"])["StackSummaries"]
    check("a deleted stack is gone", not left)
finally:
    server.terminate()
    server.wait()
