import { compiledScript } from './compiled-script.ts';

// The entry point of a bundle: the server of its folder, from compiled code if it fits this Node, else from its
// modules.
const script = compiledScript(import.meta.dirname);
if (script) script.runInThisContext();
else {
  const modules: string = './server.mjs';
  await import(modules);
}
