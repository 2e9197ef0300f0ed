"""Resources that exist in a rehearsal as what CloudFormation made of them: their type, name and resolved properties.

What runs by them (tasks, the load balancer, alarms) is the rehearsal's own and reads them from here, so no property of
a template is lost on the way. moto's models drop many of those properties.
"""
import json
import random
import string

from moto.ecr.models import Repository
from moto.s3.models import FakeBucket
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import Parameter

# What the CDK CLI itself asks for is moto's.
MOTO = {
    "AWS::S3::Bucket": FakeBucket,
    "AWS::ECR::Repository": Repository,
    "AWS::SSM::Parameter": Parameter,
}
# Another id after an update, so that whatever refers to it is updated too.
REPLACED_BY_UPDATES = {"AWS::ECS::TaskDefinition"}

revisions = {}


def letters(count):
    return "".join(random.choices(string.ascii_lowercase + string.digits, k=count))


class Record:
    """A resource without behaviour, as far as moto's stacks ask one."""

    def __init__(self, kind, name, properties, account, region):
        self.kind, self.name, self.properties = kind, name, properties
        self.account, self.region = account, region
        self.physical_resource_id = self._identify()

    def _arn(self, service, rest):
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"

    def _identify(self):
        """What Ref gives, and the APIs take."""
        short = self.kind.split("::", 1)[1]
        if short == "ElasticLoadBalancingV2::LoadBalancer":
            return self._arn("elasticloadbalancing", f"loadbalancer/app/{self.name}/{letters(16)}")
        if short == "ElasticLoadBalancingV2::TargetGroup":
            return self._arn("elasticloadbalancing", f"targetgroup/{self.name}/{letters(16)}")
        if short == "ElasticLoadBalancingV2::Listener":
            return self.properties["LoadBalancerArn"].replace(":loadbalancer/", ":listener/") + f"/{letters(16)}"
        if short == "ElasticLoadBalancingV2::ListenerRule":
            return self.properties["ListenerArn"].replace(":listener/", ":listener-rule/") + f"/{letters(16)}"
        if short == "ECS::Service":
            return self._arn("ecs", f"service/{self.properties['Cluster']}/{self.name}")
        if short == "ECS::TaskDefinition":
            family = self.properties.get("Family", self.name)
            revisions[family] = revisions.get(family, 0) + 1
            return self._arn("ecs", f"task-definition/{family}:{revisions[family]}")
        if short == "ApplicationAutoScaling::ScalableTarget":
            p = self.properties
            return f"{p['ResourceId']}|{p['ScalableDimension']}|{p['ServiceNamespace']}"
        if short.startswith("EC2::"):
            return f"{short.split('::')[1].lower()}-{letters(17)}"
        return self.name

    def update(self, properties):
        self.properties = properties

    def delete(self, account_id, region_name):
        pass

    def is_created(self):
        return True

    def get_cfn_attribute(self, attribute):
        tail = self.physical_resource_id.split(":")[-1]
        given = {
            "DNSName": f"{self.name}-{tail[-8:]}.{self.region}.elb.amazonaws.com",
            "LoadBalancerFullName": tail.removeprefix("loadbalancer/"),
            "TargetGroupFullName": tail,
            "LoadBalancerArns": [],
            "TargetGroupArn": self.physical_resource_id,
            "Name": self.name,
            "CidrBlock": self.properties.get("CidrBlock"),
            "SecurityGroups": self.properties.get("SecurityGroups"),
        }.get(attribute)
        if given is not None:
            return given
        if attribute.endswith("Arn"):
            if self.physical_resource_id.startswith("arn:"):
                return self.physical_resource_id
            service = {"dynamodb": "table/", "cloudwatch": "alarm:", "lambda": "function:", "logs": "log-group:"}
            name = self.kind.split("::")[1].lower()
            return self._arn(name, service.get(name, "") + self.physical_resource_id)
        return f"{self.physical_resource_id}-{attribute}"


class Secret(Record):
    """A secret of Secrets Manager, whose text Secrets Manager makes."""

    def _identify(self):
        backend = secretsmanager_backends[self.account][self.region]
        wanted = self.properties.get("GenerateSecretString", {})
        flags = [
            wanted.get("PasswordLength", 32),
            wanted.get("ExcludeCharacters", ""),
            *(wanted.get(f"Exclude{what}", False) for what in ("Numbers", "Punctuation", "Uppercase", "Lowercase")),
            wanted.get("IncludeSpace", False),
            wanted.get("RequireEachIncludedType", True),
        ]
        given = self.properties.get("SecretString")
        text = given or json.loads(backend.get_random_password(*flags))["RandomPassword"]
        about = self.properties.get("Description")
        made = backend.create_secret(self.name, text, None, about, None, None, None, [], False)
        return json.loads(made)["ARN"]

    def delete(self, account_id, region_name):
        secretsmanager_backends[account_id][region_name].delete_secret(self.physical_resource_id, None, True)


KINDS = {"AWS::SecretsManager::Secret": Secret}
