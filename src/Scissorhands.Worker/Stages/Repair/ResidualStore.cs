namespace Scissorhands.Worker.Stages.Repair;

/// <summary>
/// The residuals that a worker holds. What a step changes takes effect with the step, so that a step that breaks leaves
/// those of the step before: a held residual needs two vectors.
/// </summary>
internal sealed class ResidualStore
{
    private readonly float[]?[] _held;
    private readonly float[]?[] _next;
    private readonly bool[] _given;
    private readonly Stack<float[]> _free = [];
    private int _nextCount;

    /// <summary>Starts with nothing lost.</summary>
    /// <param name="leaves">Most leaves of a step.</param>
    /// <param name="length">Elements of a leaf's gradient.</param>
    public ResidualStore(int leaves, int length)
    {
        Length = length;
        _held = new float[]?[leaves];
        _next = new float[]?[leaves];
        _given = new bool[leaves];
    }

    /// <summary>Most leaves of a step.</summary>
    public int Leaves => _held.Length;

    /// <summary>Elements of a residual.</summary>
    public int Length { get; }

    /// <summary>Leaves that have been computed at least once: the first so many, whoever holds them.</summary>
    public int Count { get; private set; }

    /// <summary>Whether a leaf's residual is here.</summary>
    /// <param name="leaf">The leaf.</param>
    /// <returns>True where it is.</returns>
    public bool Holds(int leaf) => _held[leaf] is not null;

    /// <summary>A residual as the last whole step has left it.</summary>
    /// <param name="leaf">A leaf that is held.</param>
    /// <returns>It.</returns>
    public ReadOnlySpan<float> Held(int leaf) => _held[leaf];

    /// <summary>A residual that another worker hands over for the step that has begun.</summary>
    /// <param name="leaf">The leaf.</param>
    /// <returns>With arbitrary content: to be filled.</returns>
    public Span<float> Receive(int leaf) => _next[leaf] ??= Rent();

    /// <summary>Lets go of a residual with the step that has begun: another worker has received it.</summary>
    /// <param name="leaf">The leaf.</param>
    public void Give(int leaf) => _given[leaf] = true;

    /// <summary>Lets go of a residual at once: another worker holds it, too.</summary>
    /// <param name="leaf">The leaf.</param>
    public void Drop(int leaf) => Free(ref _held[leaf]);

    /// <summary>A residual for the step that has begun to change.</summary>
    /// <param name="leaf">The leaf.</param>
    /// <returns>As it was received or held, otherwise zeros; to be changed in place.</returns>
    public Span<float> Change(int leaf)
    {
        if (_next[leaf] is { } next)
        {
            return next;
        }

        var changed = _next[leaf] = Rent();
        if (_held[leaf] is { } held)
        {
            held.CopyTo(changed, 0);
        }
        else
        {
            Array.Clear(changed);
        }

        return changed;
    }

    /// <summary>The step that has begun has so many leaves.</summary>
    /// <param name="leaves">Their number.</param>
    public void Extend(int leaves) => _nextCount = Math.Max(Count, leaves);

    /// <summary>The step is done.</summary>
    public void Commit()
    {
        for (var leaf = 0; leaf < _held.Length; leaf++)
        {
            if (_next[leaf] is not null || _given[leaf])
            {
                Free(ref _held[leaf]);
                (_held[leaf], _next[leaf], _given[leaf]) = (_next[leaf], null, false);
            }
        }

        Count = Math.Max(Count, _nextCount);
    }

    /// <summary>The step has not been done.</summary>
    public void Rollback()
    {
        for (var leaf = 0; leaf < _next.Length; leaf++)
        {
            Free(ref _next[leaf]);
            _given[leaf] = false;
        }

        _nextCount = Count;
    }

    /// <summary>Holds nothing any more; the residuals of other workers, if any, are of the first so many leaves.</summary>
    /// <param name="count">Their number.</param>
    public void Reset(int count)
    {
        Rollback();
        for (var leaf = 0; leaf < _held.Length; leaf++)
        {
            Free(ref _held[leaf]);
        }

        (Count, _nextCount) = (count, count);
    }

    private float[] Rent() => _free.TryPop(out var free) ? free : GC.AllocateUninitializedArray<float>(Length);

    private void Free(ref float[]? vector)
    {
        if (vector is not null)
        {
            _free.Push(vector);
            vector = null;
        }
    }
}
