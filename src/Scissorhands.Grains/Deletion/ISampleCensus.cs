using Scissorhands.Deletion.Models;

namespace Scissorhands.Grains.Deletion;

/// <summary>Knows which samples are in a model's training data now.</summary>
public interface ISampleCensus
{
    /// <summary>Finds those that are not there any more: what is to be forgotten must still be there, or the model cannot be made to.</summary>
    /// <param name="model">The model.</param>
    /// <param name="samples">Ids.</param>
    /// <param name="ct">Ends the search.</param>
    /// <returns>The ids that are gone.</returns>
    Task<IReadOnlySet<string>> GoneAsync(ModelRecord model, IReadOnlyCollection<string> samples, CancellationToken ct);
}
