/** The addon: its functions and the numbers they take. Nothing above loads it in another way. */
export { native, onLoadFailure, type LoadFailure } from './addon.js';
export * from './constants.js';
export * as kept from './kept.js';
export type { BoundLock, Native, NativeMapping, NativeTapCount, Result, RobustThread } from './native.js';
export * as rooms from './rooms.js';
