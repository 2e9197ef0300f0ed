// A double of DynamoDB in a process of its own, which listens on 127.0.0.1 at PORT and has the table TABLE (default:
// users): `PORT=8000 npx node bench/stores/dynamodb-double.ts`. Any keys and any region will do.
//
//   curl -s 127.0.0.1:8000                                     what it was asked for since its start, as JSON
//   curl -X PUT -d '{"delayMs":5}' 127.0.0.1:8000              each answer waits 5 ms
//   curl -X PUT -d '{"throttleEvery":10}' 127.0.0.1:8000       each tenth request is throttled
//   curl -X PUT -d '{"leaveOutEvery":10}' 127.0.0.1:8000       each tenth key of batches is left out
//   curl -X PUT -d '{"partitions":4}' 127.0.0.1:8000           four partitions of 3,000 read and 1,000 write units
//   curl -X PUT -d '{}' 127.0.0.1:8000                         nothing goes wrong
import { openDouble } from './double/server.ts';

const { TABLE = 'users', PORT = '8000' } = process.env;
const { url } = await openDouble([TABLE], Number(PORT));
console.log(`a double of DynamoDB listens at ${url}, with the table ${TABLE}`);
