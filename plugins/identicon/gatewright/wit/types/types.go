// Package wit_types has what the generated bindings build their types from.
package wit_types

// Unit is nothing, where something must be said.
type Unit struct{}

// Tuple2 is a pair.
type Tuple2[A any, B any] struct {
	F0 A
	F1 B
}

// Tags of Option.
const (
	OptionNone uint8 = 0
	OptionSome uint8 = 1
)

// Option is a value or none.
type Option[T any] struct {
	tag   uint8
	value T
}

// Some is an option with a value.
func Some[T any](value T) Option[T] { return Option[T]{OptionSome, value} }

// None is an option without one.
func None[T any]() Option[T] { return Option[T]{} }

// Tag says which it is.
func (o Option[T]) Tag() uint8 { return o.tag }

// IsSome says whether there is a value.
func (o Option[T]) IsSome() bool { return o.tag == OptionSome }

// Some is the value; it panics where there is none.
func (o Option[T]) Some() T {
	if o.tag != OptionSome {
		panic("the option is none")
	}
	return o.value
}

// SomeOr is the value, or the other one where there is none.
func (o Option[T]) SomeOr(other T) T {
	if o.tag != OptionSome {
		return other
	}
	return o.value
}

// Tags of Result.
const (
	ResultOk  uint8 = 0
	ResultErr uint8 = 1
)

// Result is a value or an error.
type Result[T any, E any] struct {
	tag uint8
	ok  T
	err E
}

// Ok is a result with a value.
func Ok[T any, E any](value T) Result[T, E] { return Result[T, E]{tag: ResultOk, ok: value} }

// Err is a result with an error.
func Err[T any, E any](err E) Result[T, E] { return Result[T, E]{tag: ResultErr, err: err} }

// Tag says which it is.
func (r Result[T, E]) Tag() uint8 { return r.tag }

// IsErr says whether there is an error.
func (r Result[T, E]) IsErr() bool { return r.tag == ResultErr }

// Ok is the value; it panics where there is none.
func (r Result[T, E]) Ok() T {
	if r.tag != ResultOk {
		panic("the result is an error")
	}
	return r.ok
}

// Err is the error; it panics where there is none.
func (r Result[T, E]) Err() E {
	if r.tag != ResultErr {
		panic("the result is no error")
	}
	return r.err
}
