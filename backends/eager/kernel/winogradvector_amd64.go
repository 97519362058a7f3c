//go:build amd64 && !purego

package kernel

import "unsafe"

// run runs a transform in the family of vector loops in use.

func (a *winogradInput[T]) run() {
	switch f := (*winogradInput[float32])(unsafe.Pointer(a)); {
	case !Is32[T]() || vectorLevel == levelGo:
		a.plain()
	case vectorLevel == levelAVX512:
		winogradInputAVX512F32(f)
	default:
		winogradInputAVX2F32(f)
	}
}

func (a *winogradOutput[T]) run() {
	switch f := (*winogradOutput[float32])(unsafe.Pointer(a)); {
	case !Is32[T]() || vectorLevel == levelGo:
		a.plain()
	case vectorLevel == levelAVX512:
		winogradOutputAVX512F32(f)
	default:
		winogradOutputAVX2F32(f)
	}
}

func (a *winogradFilters[T]) run() {
	switch f := (*winogradFilters[float32])(unsafe.Pointer(a)); {
	case !Is32[T]() || vectorLevel == levelGo:
		a.plain()
	case vectorLevel == levelAVX512:
		winogradFiltersAVX512F32(f)
	default:
		winogradFiltersAVX2F32(f)
	}
}

func (a *winogradGradient[T]) run() {
	switch f := (*winogradGradient[float32])(unsafe.Pointer(a)); {
	case !Is32[T]() || vectorLevel == levelGo:
		a.plain()
	case vectorLevel == levelAVX512:
		winogradGradientAVX512F32(f)
	default:
		winogradGradientAVX2F32(f)
	}
}

func (a *winogradFilters[T]) back() {
	switch f := (*winogradFilters[float32])(unsafe.Pointer(a)); {
	case !Is32[T]() || vectorLevel == levelGo:
		a.plainBack()
	case vectorLevel == levelAVX512:
		winogradTapsAVX512F32(f)
	default:
		winogradTapsAVX2F32(f)
	}
}
