// What the provider leaves out of the device flow: the interval in its answer, and slow_down for a client
// that polls too fast (RFC 8628 sections 3.2 and 3.5).
import { NATIVE_CLIENT } from './clients.mjs';

// Seconds. Shorter than the default of 5, so that tests need not wait.
const INTERVAL = 1;
const SLOW_DOWN_STEP = 5;
const CLOCK_TOLERANCE_MS = 100;

export function pacePolls(provider) {
  // User code -> the time before which a poll is too fast; 0 until the first one.
  const notBefore = new Map();

  const isTooFast = async ({ device_code: deviceCode }) => {
    const device = deviceCode && await provider.DeviceCode.find(deviceCode);
    const earliest = device && notBefore.get(device.userCode);
    if (earliest === undefined || (earliest !== 0 && Date.now() >= earliest)) return false;
    notBefore.set(device.userCode, Date.now() + (INTERVAL + SLOW_DOWN_STEP) * 1000 - CLOCK_TOLERANCE_MS);
    return true;
  };

  return {
    // The next poll with this code is refused; from then on so is each that keeps no 6 seconds.
    slowDown(userCode) {
      notBefore.set(userCode, 0);
      return { action: 'slow_down' };
    },

    async middleware(ctx, next) {
      const form = Object.fromEntries(new URLSearchParams(ctx.req.body?.toString('utf8')));
      if (ctx.path === provider.pathFor('token') && await isTooFast(form)) {
        ctx.status = 400;
        ctx.body = { error: 'slow_down', error_description: 'polling too fast' };
        return;
      }
      await next();
      if (ctx.path === provider.pathFor('device_authorization') && ctx.status === 200
          && form.client_id === NATIVE_CLIENT) {
        ctx.body.interval = INTERVAL;
      }
    },
  };
}
