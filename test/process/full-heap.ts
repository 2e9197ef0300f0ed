// Takes what the service takes at most outside the heap, then fills the heap until V8 ends the process.
import { limits } from '../../functions/limits.ts';

const hashBytes = 19 * 1024 * 1024; // of argon2id, see functions/users/password.ts
const outsideBytes = limits.maxHeldBytes + limits.maxConcurrentHashes * hashBytes;
const outside = Buffer.alloc(outsideBytes, 1); // written to: memory that is only reserved counts for nothing

const kept: object[] = [outside];
for (let index = 0; ; index++) kept.push({ username: `user ${index}`, index });
