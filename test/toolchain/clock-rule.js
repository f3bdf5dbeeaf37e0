/**
 * Rule for oxlint: `new Date()` without arguments reads the machine's clock. (`Date.now`, `Temporal.Now` and
 * `Math.random` are caught by `no-restricted-properties`; a constructor call is not a property.)
 * JavaScript, because oxlint loads it with whatever Node runs oxlint.
 */
const rule = {
  create(context) {
    const check = (node) => {
      if (node.callee.type === 'Identifier' && node.callee.name === 'Date' && node.arguments.length === 0) {
        context.report({
          node,
          message: 'The time comes from a Clock (node/platform/clock.ts), not from Date.',
        });
      }
    };
    return { NewExpression: check, CallExpression: check };
  },
};

export default { meta: { name: 'clock' }, rules: { 'no-bare-date': rule } };
