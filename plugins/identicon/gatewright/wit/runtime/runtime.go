// Package wit_runtime gives the generated bindings memory that the gateway may read and write.
//
// Go's collector does not see the gateway's pointers. What it hands over is pinned until the bindings say that it is
// theirs, or has been read.
package wit_runtime

import (
	"runtime"
	"unsafe"
)

// Allocate is memory that stays where it is until the pinner lets go.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	var memory unsafe.Pointer
	// The collector aligns by type.
	switch align {
	case 1:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint8, size)))
	case 2:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint16, (size+1)/2)))
	case 4:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint32, (size+3)/4)))
	default:
		memory = unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	}
	pinner.Pin(memory)
	return memory
}

// What the gateway allocated for the arguments of the call that begins.
var arguments runtime.Pinner

// Unpin is called when the arguments have become Go's values.
func Unpin() { arguments.Unpin() }
