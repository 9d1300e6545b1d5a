namespace Scissorhands.Reporting.Model;

/// <summary>What was selected and trimmed.</summary>
public sealed record TrimSummary
{
    /// <summary>n: elements of all parameters.</summary>
    public required long Parameters { get; init; }

    /// <summary>k = floor((1 - fraction) * ranked elements): how many of the ranked elements were not to be selected.</summary>
    public required long K { get; init; }

    /// <summary>The smallest saliency that was selected.</summary>
    public required double Threshold { get; init; }

    /// <summary>Elements selected by saliency, in scope or not.</summary>
    public required long Selected { get; init; }

    /// <summary>Elements re-initialised: selected and in scope.</summary>
    public required long Trimmed { get; init; }

    /// <summary>One row a parameter, in the model's order.</summary>
    public required IReadOnlyList<ParameterTrim> Rows { get; init; }

    /// <summary>Trimmed elements as a share of all, in [0,1].</summary>
    public double Share => Parameters > 0 ? Math.Round(Trimmed / (double)Parameters, 9) : 0;
}

/// <summary>What was selected and trimmed in one parameter.</summary>
/// <param name="Name">Dotted name, e.g. <c>layer4.1.conv2.weight</c>.</param>
/// <param name="Elements">Its elements.</param>
/// <param name="Selected">Elements selected by saliency.</param>
/// <param name="Trimmed">Elements re-initialised.</param>
public sealed record ParameterTrim(string Name, long Elements, long Selected, long Trimmed)
{
    /// <summary>Trimmed elements as a share of this parameter's, in [0,1].</summary>
    public double Share => Elements > 0 ? Math.Round(Trimmed / (double)Elements, 9) : 0;
}
