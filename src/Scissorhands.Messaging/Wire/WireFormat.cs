namespace Scissorhands.Messaging.Wire;

/// <summary>
/// How the vectors of a sum are represented. A format is part of the sum's definition: each says which nodes of the
/// reduction tree are rounded to what, whether they are sent or not, so that the result does not depend on who holds which
/// part.
/// </summary>
public enum WireFormat
{
    /// <summary>float32 throughout: lossless.</summary>
    Fp32,

    /// <summary>Every node, leaves included, is rounded to <see cref="Bfloat16"/>.</summary>
    Bf16,

    /// <summary>Every leaf is quantised by <see cref="BlockInt8"/> before any addition; every node above is rounded to <see cref="Bfloat16"/>.</summary>
    Int8,
}
