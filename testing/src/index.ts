/** The kit itself stands in the kernel, whose inside it needs to know; see `core/src/testing`. */
export * from '@gateway/core/testing'
