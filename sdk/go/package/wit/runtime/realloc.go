//go:build wasm

package wit_runtime

import "unsafe"

// The layer between Go and WASI asks for memory while Go's runtime is still starting; what it gets then is here, as
// there is no heap yet.
var (
	early     [256 << 10]byte
	earlyUsed uintptr
	started   bool
)

func init() { started = true }

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if started {
		memory := forArguments(size, align)
		if old != nil {
			copy(unsafe.Slice((*byte)(memory), size), unsafe.Slice((*byte)(old), oldSize))
		}
		return memory
	}
	base := uintptr(unsafe.Pointer(&early))
	start := (base + earlyUsed + align - 1) &^ (align - 1)
	earlyUsed = start - base + size
	if earlyUsed > uintptr(len(early)) {
		panic("too much memory asked for at the start")
	}
	return unsafe.Pointer(start)
}
