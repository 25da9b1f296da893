/**
 * The sha256 of `uws.bin`, which the build makes and checks. What is loaded at run time must have it, wherever
 * it lies: the file is code, and it may have to be kept in a folder that others can reach.
 */
export const nativeSha256 = 'f640a9d03075d13d355d436eb1ba1323b67ef45659caca9146fbff0a0ef9c236';

/** The oldest glibc that the file runs on. */
export const oldestGlibc = '2.36';
