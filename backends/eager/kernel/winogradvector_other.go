//go:build !amd64 || purego

package kernel

func (a *winogradInput[T]) run()   { a.plain() }
func (a *winogradOutput[T]) run()  { a.plain() }
func (a *winogradFilters[T]) run() { a.plain() }

func (a *winogradGradient[T]) run() { a.plain() }
func (a *winogradFilters[T]) back() { a.plainBack() }
