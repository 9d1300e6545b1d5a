using System.Globalization;

namespace Scissorhands.Reporting;

/// <summary>Figures as people read them, the same in every culture.</summary>
internal static class Numbers
{
    /// <summary>What stands for a figure that was not measured.</summary>
    public const string Missing = "n/a";

    /// <summary>A count with thousands separators.</summary>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A percentage or a distance in points, without a unit, two decimals.</summary>
    public static string Percent(double? value) => value?.ToString("0.00", CultureInfo.InvariantCulture) ?? Missing;

    /// <summary>A percentage for prose, one decimal.</summary>
    public static string Rough(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);

    /// <summary>A share in [0,1] as a percentage that does not round a few to none.</summary>
    public static string Share(double share)
    {
        var percent = 100 * share;
        return percent.ToString(percent is > 0 and < 0.1 ? "0.####" : "0.##", CultureInfo.InvariantCulture) + " %";
    }

    /// <summary>A loss or other plain number, four significant digits.</summary>
    public static string Plain(double? value)
    {
        return value switch
        {
            null => Missing,
            { } number when double.IsFinite(number) => number.ToString("G4", CultureInfo.InvariantCulture),
            { } number => double.IsNaN(number) ? "not a number" : "infinite",
        };
    }

    /// <summary>A duration.</summary>
    public static string Duration(double seconds)
    {
        return seconds switch
        {
            < 10 => seconds.ToString("0.00", CultureInfo.InvariantCulture) + " s",
            < 120 => seconds.ToString("0.0", CultureInfo.InvariantCulture) + " s",
            < 7200 => (seconds / 60).ToString("0.0", CultureInfo.InvariantCulture) + " min",
            _ => (seconds / 3600).ToString("0.0", CultureInfo.InvariantCulture) + " h",
        };
    }

    /// <summary>A length in bytes.</summary>
    public static string Bytes(long bytes)
    {
        return bytes switch
        {
            < 10_000 => Count(bytes) + " B",
            < 1_000_000 => (bytes / 1e3).ToString("0.0", CultureInfo.InvariantCulture) + " kB",
            _ => (bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture) + " MB",
        };
    }
}
