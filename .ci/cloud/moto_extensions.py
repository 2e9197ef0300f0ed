"""What a rehearsal needs and moto lacks: metric filters, secrets of stacks, deletion of more types and in order, quick transactions.

A resource of an unknown type spoils the list of a stack's resources; one that is not deleted looks left behind.
Imported by .ci/cloud/python's interpreter when it runs moto.
"""
import copy
import json

from moto.cloudformation.parsing import ResourceMap
from moto.core.common_models import CloudFormationModel
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.ecs.models import Service, TaskDefinition, ecs_backends
from moto.elbv2.models import FakeTargetGroup, elbv2_backends
from moto.logs.models import logs_backends
from moto.secretsmanager.models import secretsmanager_backends


class MetricFilter(CloudFormationModel):
    __module__ = "moto.logs.metric_filter"  # moto files its models by the service in their module's name

    @staticmethod
    def cloudformation_name_type():
        return "FilterName"

    @staticmethod
    def cloudformation_type():
        return "AWS::Logs::MetricFilter"

    @classmethod
    def has_cfn_attr(cls, attr):
        return False

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        self = cls()
        self.name, self.group = resource_name, cloudformation_json["Properties"]["LogGroupName"]
        properties = cloudformation_json["Properties"]
        transformations = [{key[0].lower() + key[1:]: value for key, value in one.items()} for one in properties["MetricTransformations"]]
        logs_backends[account_id][region_name].put_metric_filter(self.name, properties["FilterPattern"], self.group, transformations)
        return self

    @classmethod
    def update_from_cloudformation_json(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
        return cls.create_from_cloudformation_json(original_resource.name, cloudformation_json, account_id, region_name)

    @property
    def physical_resource_id(self):
        return self.name

    def delete(self, account_id, region_name):
        logs_backends[account_id][region_name].delete_metric_filter(self.name, self.group)


class Secret(CloudFormationModel):
    """AWS::SecretsManager::Secret, whose text Secrets Manager makes."""

    __module__ = "moto.secretsmanager.secret"

    @staticmethod
    def cloudformation_name_type():
        return "Name"

    @staticmethod
    def cloudformation_type():
        return "AWS::SecretsManager::Secret"

    @classmethod
    def has_cfn_attr(cls, attr):
        return False

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        self, properties = cls(), cloudformation_json["Properties"]
        wanted = properties["GenerateSecretString"]
        flags = [wanted.get(name, default) for name, default in (
            ("PasswordLength", 32), ("ExcludeCharacters", ""), ("ExcludeNumbers", False), ("ExcludePunctuation", False), ("ExcludeUppercase", False),
            ("ExcludeLowercase", False), ("IncludeSpace", False), ("RequireEachIncludedType", True))]
        backend = secretsmanager_backends[account_id][region_name]
        text = json.loads(backend.get_random_password(*flags))["RandomPassword"]
        made = backend.create_secret(resource_name, text, None, properties.get("Description"), properties.get("Tags"), None, None, [], False)
        self.arn = json.loads(made)["ARN"]
        return self

    @classmethod
    def update_from_cloudformation_json(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
        return original_resource

    @property
    def physical_resource_id(self):
        return self.arn

    def delete(self, account_id, region_name):
        secretsmanager_backends[account_id][region_name].delete_secret(self.arn, None, True)


Service.delete = lambda self, account_id, region: ecs_backends[account_id][region].delete_service(self.cluster_name, self.name, force=True)
TaskDefinition.delete = lambda self, account_id, region: ecs_backends[account_id][region].deregister_task_definition(self.arn)
FakeTargetGroup.delete = lambda self, account_id, region: elbv2_backends[account_id][region].delete_target_group(self.arn)

_delete_stack = ResourceMap.delete


def _delete_custom_resources_first(self):
    """moto deletes in any order; a custom resource needs its function to be deleted."""
    for name in [name for name, resource in self._resource_json_map.items() if resource["Type"].startswith("Custom::")]:
        self._delete_resource(self._parsed_resources.pop(name), self._resource_json_map.pop(name))
    _delete_stack(self)


ResourceMap.delete = _delete_custom_resources_first


def _copy_table(self, memo):
    """For each put of a transaction moto copies the table, in depth, to come back to: seconds, with some thousand users.

    A put or a delete changes no item, and an update changes a copy of it (below), so that the list of the items is enough to come back to.
    """
    copied = copy.copy(self)
    copied.items = copy.copy(self.items)
    return copied


def _update_a_copy(self, table_name, key, *args, **kwargs):
    table = self.get_table(table_name)
    hash_value = DynamoType(key[table.hash_key_attr])
    if hash_value in table.items:
        table.items[hash_value] = copy.deepcopy(table.items[hash_value])
    return _update_item(self, table_name, key, *args, **kwargs)


_update_item = DynamoDBBackend.update_item
DynamoDBBackend.update_item = _update_a_copy
Table.__deepcopy__ = _copy_table
