/**
 * The sha256 of `uws.bin`, which the build makes and checks. What is loaded at run time must have it, wherever
 * it lies: the file is code, and it may have to be kept in a folder that others can reach.
 */
export const nativeSha256 = 'd74021899de959f898453f0e04f5f4a622487ad329e0d157533b1a2608bb0a15';

/** The oldest glibc that the file runs on. */
export const oldestGlibc = '2.36';
