import { dlopen, type FFIFunction, type Library } from "bun:ffi"

/** The C library's functions of these names and types; null where there is none that fits (anything but Linux). */
export function openLibc<Fns extends Record<string, FFIFunction>>(functions: Fns): Library<Fns>["symbols"] | null {
  if (process.platform !== "linux") return null
  for (const name of ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`, "libc.so"]) {
    try {
      return dlopen(name, functions).symbols
    } catch {
      // The next name.
    }
  }
  return null
}
