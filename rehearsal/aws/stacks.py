"""How a stack is created, updated, rolled back and deleted: as CloudFormation does, on moto's parsing of templates.

Each resource is compared by its resolved properties. So what refers to a resource that was replaced is updated too.
"""
import json
import re
import traceback

from functions import CustomResource
from moto.cloudformation import parsing
from moto.cloudformation.models import CloudFormationBackend, Stack
from moto.cloudformation.parsing import ResourceMap
from records import KINDS, MOTO, REPLACED_BY_UPDATES, Record

# What a stack left behind on purpose (DeletionPolicy: Retain), for whoever looks for leftovers.
retained = []


def _references(resource):
    text = json.dumps(resource)
    depends = resource.get("DependsOn", [])
    return {
        *re.findall(r'"Ref": "([\w:]+)"', text),
        *re.findall(r'"Fn::GetAtt": \["(\w+)"', text),
        *re.findall(r"\$\{(\w+)[.}]", text),
        *([depends] if isinstance(depends, str) else depends),
    }


def _in_order(resources):
    """The names of the resources, each after those that it refers to."""
    ordered = []

    def visit(name, path=()):
        if name in ordered or name in path:
            return
        for needed in sorted(_references(resources[name]) & resources.keys()):
            visit(needed, (*path, name))
        ordered.append(name)

    for name in resources:
        visit(name)
    return ordered


def _resolve(self, name):
    declared = {"Properties": {}, **self._resource_json_map[name]}
    return parsing.clean_json(declared["Properties"], self)


def _make(self, name, properties):
    kind = self._resource_json_map[name]["Type"]
    stack = self._parsed_resources["AWS::StackName"]
    where = self._account_id, self._region_name
    names = (properties.get(key) for key in (f"{kind.split('::')[-1]}Name", "Name", "AlarmName"))
    given = next((it for it in names if isinstance(it, str)), None)
    physical = given or parsing.generate_resource_name(kind, stack, name)
    if kind in MOTO:
        whole = {**self._resource_json_map[name], "Properties": properties}
        ids = {"LogicalId": name, "StackId": self.stack_id, "ResourceType": kind}
        made = MOTO[kind].create_from_cloudformation_json(physical, whole, *where, **ids)
    elif kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource":
        made = CustomResource(kind, physical, properties, *where)
        token = properties["ServiceToken"]
        parts = (it for it in self._parsed_resources.values() if isinstance(it, Record) and it is not made)
        made.function = next((it for it in parts if it.get_cfn_attribute("Arn") == token), None)
        if made.function is None:
            raise RuntimeError(f"{name}: its function {token} is not of the stack")
        made.stack_id, made.logical_id = self.stack_id, name
        made.create()
    else:
        made = KINDS.get(kind, Record)(kind, physical, properties, *where)
    made.cf_resource_type, made.logical_resource_id = kind, name
    return made


def _apply(self, template):
    """Brings the resources to what the template says; raises at the first that fails."""
    self._template = template
    self._resource_json_map = template["Resources"]
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    resolved = self.__dict__.setdefault("resolved", {})
    wanted = [
        name for name in _in_order(template["Resources"])
        if self.lazy_condition_map.get(template["Resources"][name].get("Condition"), True)
    ]
    replaced = []
    for name in wanted:
        properties = _resolve(self, name)
        former = self._parsed_resources.get(name)
        if former is not None and resolved.get(name) == properties:
            continue
        if former is None or former.cf_resource_type in REPLACED_BY_UPDATES:
            if former is not None:
                replaced.append(former)
            self._parsed_resources[name] = _make(self, name, properties)
        elif isinstance(former, Record):
            former.update(properties)
        else:
            print(f"not modelled: an update of {former.cf_resource_type} {name}", flush=True)
        resolved[name] = properties
    for former in replaced:
        former.delete(self._account_id, self._region_name)
    for name in [name for name in resolved if name not in wanted]:
        _remove(self, name, self.declared.get(name, {}))
    self.declared = template["Resources"]


def _remove(self, name, declared):
    resource = self._parsed_resources.pop(name)
    self.resolved.pop(name)
    if declared.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate"):
        retained.append({"type": resource.cf_resource_type, "id": resource.physical_resource_id})
    else:
        try:
            resource.delete(self._account_id, self._region_name)
        except (AttributeError, TypeError):  # moto's own delete otherwise
            where = self._account_id, self._region_name
            type(resource).delete_from_cloudformation_json(resource.physical_resource_id, declared, *where)


def _delete_all(self):
    declared = self._resource_json_map
    for name in reversed(_in_order(declared)):
        if name in self.resolved:
            _remove(self, name, declared[name])


def _failed(stack, what, error):
    traceback.print_exc()
    stack._add_stack_event(f"{what}_FAILED", resource_status_reason=f"{type(error).__name__}: {error}"[:1000])


def _create_stack(self):
    self.status = "CREATE_IN_PROGRESS"
    try:
        _apply(self.resource_map, self.template_dict)
    except Exception as error:  # a failed resource is the stack's failure, not the server's
        _failed(self, "CREATE", error)
        self.resource_map.declared = self.template_dict["Resources"]
        _delete_all(self.resource_map)
        self.status = "ROLLBACK_COMPLETE"
        self._add_stack_event(self.status)
    else:
        self.description = self.template_dict.get("Description")
        self.mark_creation_complete()


def _update_stack(self, template, role_arn=None, parameters=None, tags=None):
    former = self.template, self.template_dict, dict(self.parameters)
    self._add_stack_event("UPDATE_IN_PROGRESS", resource_status_reason="User Initiated")
    self.template = template
    self._parse_template()
    try:
        if parameters:
            self.resource_map.input_parameters = self.parameters = parameters
        _apply(self.resource_map, self.template_dict)
        self.status = "UPDATE_COMPLETE"
    except Exception as error:
        _failed(self, "UPDATE", error)
        self.template, self.template_dict, self.parameters = former
        self.resource_map.input_parameters = self.parameters
        _apply(self.resource_map, self.template_dict)
        self.status = "UPDATE_ROLLBACK_COMPLETE"
    self.output_map = self._create_output_map()
    self._add_stack_event(self.status)
    self.tags = tags or self.tags


_parameter = ResourceMap.parse_ssm_parameter


def _parameter_or_value(self, value, value_type):
    """moto resolves a parameter a second time, when it is used again: its value is no name then."""
    try:
        return _parameter(self, value, value_type)
    except AttributeError:
        return value


def _update_parameters(self, instance, incoming_params):
    """A parameter that keeps its value may never have been given one: it has its default."""
    given = {it["ParameterKey"]: it["ParameterValue"] for it in incoming_params if "ParameterValue" in it}
    kept = [it["ParameterKey"] for it in incoming_params if it.get("UsePreviousValue")]
    return {**given, **{key: instance.parameters[key] for key in kept if key in instance.parameters}}


def extend():
    """Makes moto's stacks behave so."""
    ResourceMap.parse_ssm_parameter = _parameter_or_value
    ResourceMap.validate_outputs = lambda self: None
    ResourceMap.update = lambda self, template, parameters=None: _apply(self, template)
    ResourceMap.delete = _delete_all
    CloudFormationBackend._resolve_update_parameters = _update_parameters
    Stack.create_resources = _create_stack
    Stack.update = _update_stack
