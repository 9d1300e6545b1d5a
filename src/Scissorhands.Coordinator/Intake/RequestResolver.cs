using Scissorhands.Deletion.Requests;

namespace Scissorhands.Coordinator.Intake;

/// <summary>Finds out which samples a request means.</summary>
internal static class RequestResolver
{
    /// <summary>Resolves names. A name is reported once for each thing that is odd about it.</summary>
    /// <param name="ids">Samples by id.</param>
    /// <param name="subjects">People.</param>
    /// <param name="view">The model.</param>
    /// <param name="held">Whether it is under legal hold: what is held is evidence, also where a run has forgotten it, as long as the data have it.</param>
    /// <returns>Ids to forget, in the order they were named, those of them that are forgotten already, and what became of the names.</returns>
    public static (IReadOnlyList<string> Samples, IReadOnlyList<string> Before, Resolution Resolution) Resolve(IEnumerable<string> ids, IEnumerable<string> subjects, ModelView view, bool held)
    {
        var samples = new List<string>();
        var before = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        var (unknown, duplicates, forgotten) = (new List<string>(), new List<string>(), new List<string>());
        foreach (var id in ids)
        {
            // Forgotten first: its row may be gone from the data by now.
            if (view.Forgotten.Contains(id))
            {
                before.AddRange(seen.Add(id) ? [id] : (string[])[]);
                (taken.Add(id) ? forgotten : duplicates).Add(id);
            }
            else if (!view.Names.Contains(id))
            {
                (taken.Add(id) ? unknown : duplicates).Add(id);
            }
            else if (taken.Add(id))
            {
                samples.Add(id);
            }
            else
            {
                duplicates.Add(id);
            }
        }

        var people = new HashSet<string>(StringComparer.Ordinal);
        foreach (var subject in subjects)
        {
            if (!people.Add(subject))
            {
                duplicates.Add(subject);
                continue;
            }

            var all = view.Names.OfSubject(subject);
            var left = all.Where(id => !view.Forgotten.Contains(id)).ToArray();
            before.AddRange(all.Where(id => view.Forgotten.Contains(id) && seen.Add(id)));
            if (all.Count == 0)
            {
                unknown.Add(subject);
            }
            else if (left.Length == 0)
            {
                forgotten.Add(subject);
            }
            else
            {
                var count = samples.Count;
                samples.AddRange(left.Where(taken.Add));
                if (samples.Count == count)
                {
                    duplicates.Add(subject);
                }
            }
        }

        if (held)
        {
            samples.AddRange(before.Where(view.Names.Contains));
            before.RemoveAll(view.Names.Contains);
        }

        return (samples, before, new Resolution { Samples = samples.Count, Unknown = unknown, Duplicates = duplicates, AlreadyForgotten = forgotten });
    }
}
