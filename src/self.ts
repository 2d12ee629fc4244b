// First import of main (and of every worker): makes `flamegate/api` mean this very copy of the package, wherever the importing
// file lies. A plugin outside the project cannot resolve it by itself (global install, Docker mount).
import { registerHooks } from 'node:module';

const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const PUBLIC = new Set(['api']);

registerHooks({
  resolve(specifier, context, next) {
    const room = specifier.startsWith('flamegate/') ? specifier.slice('flamegate/'.length) : '';
    if (!PUBLIC.has(room)) return next(specifier, context);
    return { url: new URL(`./${room}/index${extension}`, import.meta.url).href, shortCircuit: true };
  },
});
