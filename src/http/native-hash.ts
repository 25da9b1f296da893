/**
 * The sha256 of `uws.bin`, which the build makes and checks. What is loaded at run time must have it, wherever
 * it lies: the file is code, and it may have to be kept in a folder that others can reach.
 */
export const nativeSha256 = '155fac12e40d2a102f0044f0ff23ea36404c5a8902b67655f354b570499fd445';

/** The oldest glibc that the file runs on. */
export const oldestGlibc = '2.36';
