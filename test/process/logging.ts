// Logs what its parent sends, to its standard output: a text for each line. It ends when it is told to.
import { createLog, logFormats } from '../../functions/process/log.ts';

const format = logFormats.find((it) => it === process.env.LOG_FORMAT) ?? 'json';
const log = await createLog({ level: 'info', format });

process.on('message', (message: readonly string[] | 'end') => {
  if (message === 'end') return log.flush(() => process.exit());
  for (const text of message) log.info({ text, fields: { [text]: text }, err: new Error(text) }, text);
  process.send?.('logged');
});
process.send?.('ready');
