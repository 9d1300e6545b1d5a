using TorchSharp;

namespace Scissorhands.Core.Native;

/// <summary>
/// Numbers that are handed to native code and never freed. TorchSharp frees a number once the collector finds it unused,
/// which may be while native code is about to read it; that holds for the factor 1 within its sums of two tensors too. The
/// call then fails or, worse, computes with another number.
/// </summary>
internal static class HeldScalars
{
    /// <summary>1, the factor of plain sums.</summary>
    public static Scalar One { get; } = 1L.ToScalar();

    /// <summary>0.</summary>
    public static Scalar Zero { get; } = 0L.ToScalar();
}
