// Node.js imports this when it starts: a machine whose clock is 10 minutes behind.
const BEHIND = 10 * 60 * 1000;
const now = Date.now;

globalThis.Date = class extends Date {
  constructor(...parts) {
    if (parts.length) super(...parts);
    else super(now() - BEHIND);
  }

  static now() {
    return now() - BEHIND;
  }
};
