"""PyTorch's `fft`: not supported, for want of complex numbers."""

from tinynet.compat.switches import unsupported

_WHY = "there are no complex numbers"
fft, ifft, rfft, irfft, fft2, ifft2, rfft2, irfft2, fftn, ifftn, fftshift, ifftshift, fftfreq, rfftfreq = (
    unsupported(f"fft.{name}", _WHY)
    for name in (
        *("fft", "ifft", "rfft", "irfft", "fft2", "ifft2", "rfft2", "irfft2"),
        *("fftn", "ifftn", "fftshift", "ifftshift", "fftfreq", "rfftfreq"),
    )
)
