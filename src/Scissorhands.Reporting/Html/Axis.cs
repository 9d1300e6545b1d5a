using System.Globalization;

namespace Scissorhands.Reporting.Html;

/// <summary>A linear axis with round ticks.</summary>
internal sealed class Axis
{
    private readonly double _from;
    private readonly double _to;

    /// <summary>Makes an axis.</summary>
    /// <param name="largest">Largest value to be shown.</param>
    /// <param name="from">Pixel of the axis' start.</param>
    /// <param name="to">Pixel of the axis' end.</param>
    /// <param name="ticks">About how many ticks.</param>
    /// <param name="smallest">Smallest value to be shown; the axis starts at the tick below.</param>
    /// <param name="isExact">End at the largest value instead of the next tick.</param>
    public Axis(double largest, double from, double to, int ticks = 5, double smallest = 0, bool isExact = false)
    {
        _from = from;
        _to = to;
        var span = largest - smallest;
        if (!double.IsFinite(span) || span <= 0)
        {
            (largest, span) = (smallest + 1, 1);
        }

        var rough = span / ticks;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        Step = power * ((rough / power) switch { <= 1 => 1, <= 2 => 2, <= 5 => 5, _ => 10 });
        Start = Math.Floor((smallest / Step) + 1e-9) * Step;
        End = isExact ? largest : Math.Ceiling((largest / Step) - 1e-9) * Step;
    }

    /// <summary>Distance of two ticks.</summary>
    public double Step { get; }

    /// <summary>Value at the axis' start.</summary>
    public double Start { get; }

    /// <summary>Value at the axis' end.</summary>
    public double End { get; }

    /// <summary>The ticks, rising.</summary>
    public IEnumerable<double> Ticks => Enumerable.Range(0, (int)Math.Floor(((End - Start) / Step) + 1e-9) + 1).Select(i => Start + (i * Step));

    /// <summary>The pixel of a value; values beyond the axis are drawn at its end.</summary>
    public double At(double value) => _from + ((_to - _from) * Math.Clamp((value - Start) / (End - Start), 0, 1));

    /// <summary>A tick's label.</summary>
    public static string Label(double tick) => tick.ToString(Math.Abs(tick) >= 1e5 ? "0.##E0" : "0.######", CultureInfo.InvariantCulture);
}
