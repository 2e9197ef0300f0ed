// What every store promises (functions/users/store.ts), as one suite that each runs: who wins when many sign up
// at once, that a request id gives one user to everybody, and is its caller's, the order of the rules, reads of 10,000
// users, changes and removals and who wins among them, pages, and what cancelling and closing leave behind.
import { describe } from 'node:test';
import { callers } from './contract-callers.ts';
import { changeRaces } from './contract-change-races.ts';
import { changes } from './contract-changes.ts';
import { endings } from './contract-endings.ts';
import { pages } from './contract-pages.ts';
import { races } from './contract-races.ts';
import { removals } from './contract-removals.ts';
import { rules } from './contract-rules.ts';
import type { StoreContract, Suite } from './contract-setting.ts';

/** Defines the suite for one store. */
export function storeContract(contract: StoreContract): void {
  const suite: Suite = {
    ...contract,
    async withStore(use, now) {
      const data = await contract.fixture();
      try {
        const store = await data.open(now);
        try {
          await use(store, data);
        } finally {
          await store.close();
        }
      } finally {
        await data.remove();
      }
    },
  };
  describe(`${contract.name} store`, () => {
    rules(suite);
    callers(suite);
    races(suite);
    changes(suite);
    removals(suite);
    changeRaces(suite);
    pages(suite);
    endings(suite);
  });
}
