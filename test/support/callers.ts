import type { DescService } from '@bufbuild/protobuf';
import { callerOfKind } from '../../functions/rpc/auth/caller.ts';
import type { GateRequest, ScopeTable, Way } from '../../functions/rpc/index.ts';

/** Knows callers by the name that they say in `x-caller`: whoever says none is not known. */
export const byName: Way = {
  identify({ headers: { 'x-caller': name } }: GateRequest) {
    return typeof name === 'string' ? callerOfKind('key', name, ['*']) : undefined;
  },
};

/** As `byName`, in a while. */
export const byNameLater: Way = {
  async identify(request: GateRequest) {
    await new Promise((resolve) => setImmediate(resolve));
    return byName.identify(request);
  },
};

/** What a caller sends with a call. */
export const as = (name: string, headers: Record<string, string> = {}) => ({
  headers: { 'x-caller': name, ...headers },
});

/** Lets every known caller call every method of a service. */
export function toAllKnown({ typeName, methods }: DescService): ScopeTable {
  return Object.fromEntries(methods.map(({ name }) => [`/${typeName}/${name}`, []]));
}
