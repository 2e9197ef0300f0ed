"""server.py PORT: the AWS APIs that a deployment asks, on 127.0.0.1, and beside them what a rehearsal asks:

GET  /rehearsal/stacks/NAME        the stack's resources as CloudFormation made them
GET  /rehearsal/retained           what deleted stacks left behind on purpose
GET  /rehearsal/certificates/ARN   a certificate of ACM, with its chain and key: ACM gives a key to load balancers only
POST /rehearsal/functions/NAME     runs the function with the body as its event
POST /rehearsal/old-certificates   from now on ACM says that certificates end in 20 days, until they are imported anew
"""
import json
import sys
from datetime import timedelta

import stacks
from functions import invoke
from moto.acm.models import CertBundle, acm_backends
from moto.cloudformation.models import cloudformation_backends
from moto.core.utils import utcnow
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from records import Record
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

ACCOUNT, REGION = "123456789012", "us-east-1"
old = set()


def every_stack():
    return cloudformation_backends[ACCOUNT][REGION].stacks.values()


def resource_of(stack, name):
    found = stack.resource_map._parsed_resources[name]
    properties = stack.resource_map.resolved[name]
    resource = {"type": found.cf_resource_type, "id": found.physical_resource_id, "properties": properties}
    if found.cf_resource_type.endswith("::LoadBalancer"):
        resource["dnsName"] = found.get_cfn_attribute("DNSName")
    return resource


def answer(method, path, body):
    kind, _, name = path.partition("/")
    if (method, kind) == ("GET", "stacks"):
        stack = next(it for it in every_stack() if it.name == name)
        resources = {key: resource_of(stack, key) for key in stack.resource_map.resolved}
        return {"status": stack.status, "resources": resources}
    if (method, kind) == ("GET", "retained"):
        return stacks.retained
    if (method, kind) == ("GET", "certificates"):
        bundle = acm_backends[ACCOUNT][REGION]._certificates[name]
        chain = bundle.chain.split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n"
        return {"certificate": bundle.cert.decode(), "chain": chain.decode(), "key": bundle.key.decode()}
    if (method, kind) == ("POST", "functions"):
        parts = (it for stack in every_stack() for it in stack.resource_map._parsed_resources.values())
        functions = [it for it in parts if isinstance(it, Record) and it.kind == "AWS::Lambda::Function"]
        function = next(it for it in functions if name in (it.name, it.get_cfn_attribute("Arn")))
        return invoke(function, json.loads(body))
    if (method, kind) == ("POST", "old-certificates"):
        old.update(map(id, acm_backends[ACCOUNT][REGION]._certificates.values()))
        return sorted(acm_backends[ACCOUNT][REGION]._certificates)
    raise KeyError(path)


_describe = CertBundle.describe


def describe(self):
    described = _describe(self)
    if id(self) in old:
        described["Certificate"]["NotAfter"] = (utcnow() + timedelta(days=20)).timestamp()
    return described


def application(aws):
    def call(environ, start):
        request = Request(environ)
        if not request.path.startswith("/rehearsal/"):
            return aws(environ, start)
        try:
            said = answer(request.method, request.path.removeprefix("/rehearsal/"), request.get_data())
            response = Response(json.dumps(said), content_type="application/json")
        except (KeyError, StopIteration):
            response = Response(f"there is no {request.path}", status=404)
        except RuntimeError as error:
            response = Response(str(error), status=500)
        return response(environ, start)

    return call


CertBundle.describe = describe
stacks.extend()
run_simple("127.0.0.1", int(sys.argv[1]), application(DomainDispatcherApplication(create_backend_app)), threaded=True)
