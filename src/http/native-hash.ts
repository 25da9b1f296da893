/**
 * The sha256 of `uws.bin`, which the build makes and checks. What is loaded at run time must have it, wherever
 * it lies: the file is code, and it may have to be kept in a folder that others can reach.
 */
export const nativeSha256 = '0f26d7937ffd2e15f01b4a0a95d2889cf343515ef39dc0dd591e3c75b968b650';

/** The oldest glibc that the file runs on. */
export const oldestGlibc = '2.36';
