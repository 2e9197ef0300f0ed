import { openSqliteStore } from '../../../functions/users/stores/sqlite.ts';

// Opens a users file, signs up and closes it until it is killed. Arguments: the file, the first user's id.
const [path = '', firstId] = process.argv.slice(2);
console.log('begins');
for (let userId = Number(firstId); ; userId++) {
  const store = openSqliteStore({ path });
  await store.signUp({ username: `u${userId}`, userId }, new AbortController().signal);
  await store.close();
}
