import type { DescService } from '@bufbuild/protobuf';
import type { ScopeTable } from '../auth/scopes.ts';
import { type AddServices, pathOf } from '../call/methods.ts';
import {
  ServerReflection as ReflectionV1,
  type ServerReflectionRequest as V1Request,
} from './gen/grpc/reflection/v1/reflection_pb.js';
import {
  ServerReflection as ReflectionV1alpha,
  type ServerReflectionRequest as V1alphaRequest,
} from './gen/grpc/reflection/v1alpha/reflection_pb.js';
import { Health as HealthService } from './gen/health/v1/health_pb.js';
import type { Health } from './health.ts';
import { Reflection } from './reflection.ts';

/** Calls that last as long as their client wants, within `maxWatchMs`. */
export const untimedPaths: ReadonlySet<string> = new Set([
  pathOf(HealthService.method.watch),
  pathOf(ReflectionV1.method.serverReflectionInfo),
  pathOf(ReflectionV1alpha.method.serverReflectionInfo),
]);

/**
 * Health is open, as load balancers have no credentials. Reflection needs a known caller, whatever its scopes, or is
 * open: it tells which methods there are.
 */
export function standardScopes(isReflectionOpen: boolean): ScopeTable {
  const reflection = isReflectionOpen ? 'open' : [];
  return {
    ...Object.fromEntries(Object.values(HealthService.method).map((it) => [pathOf(it), 'open'])),
    '/healthz': 'open',
    '/readyz': 'open',
    [pathOf(ReflectionV1.method.serverReflectionInfo)]: reflection,
    [pathOf(ReflectionV1alpha.method.serverReflectionInfo)]: reflection,
  };
}

/** Adds health and reflection, for the services that are served. */
export function standardServices(health: Health, services: readonly DescService[]): AddServices {
  const reflection = new Reflection([...services, HealthService, ReflectionV1, ReflectionV1alpha]);
  return (router) => {
    router.service(HealthService, health.implementation);
    router.service(ReflectionV1, {
      serverReflectionInfo: (it, context) => reflection.answer<V1Request>(it, context),
    });
    router.service(ReflectionV1alpha, {
      serverReflectionInfo: (it, context) => reflection.answer<V1alphaRequest>(it, context),
    });
  };
}
