using Scissorhands.Deletion.Requests;
using Scissorhands.Drill.World;

namespace Scissorhands.Drill.Intake;

/// <summary>A request of the drill, and how often each door is asked for it.</summary>
/// <param name="Principal">Who asks; the same name at both doors.</param>
/// <param name="RequestId">The caller's id.</param>
/// <param name="Ids">The samples.</param>
/// <param name="Held">Whether it is to wait.</param>
/// <param name="OverHttp">How often it is sent over HTTP.</param>
/// <param name="OverBroker">How often it is sent over the broker.</param>
internal sealed record DrilledRequest(string Principal, string RequestId, IReadOnlyList<string> Ids, bool Held, int OverHttp, int OverBroker)
{
    /// <summary>Its id in the service.</summary>
    public string Id => DeletionSubmission.IdOf(IntakeDrill.Tenants[Principal], Principal, RequestId, IntakeDrill.Model);

    /// <summary>
    /// Makes requests. The samples they name move on through the first two thirds of the data, so that batches go on to the
    /// end of the drill and something is left to repair on.
    /// </summary>
    public static DrilledRequest[] Make(int count, Random random)
    {
        const int Nameable = TinyFiles.TrainSamples * 2 / 3;
        const int Window = 4;
        return [.. Enumerable.Range(0, count).Select(i =>
        {
            var first = (int)((long)i * (Nameable - Window) / count);
            var ids = Enumerable.Range(0, random.Next(1, 4)).Select(_ => TinyData.Id("train", first + random.Next(Window))).ToArray();

            // Only the user whom the broker knows can ask at both doors.
            var door = random.Next(4);
            return door switch
            {
                0 => new DrilledRequest(IntakeDrill.Desk, $"d{i}", ids, random.Next(5) == 0, random.Next(1, 3), 0),
                1 => new DrilledRequest(IntakeDrill.Pipeline, $"p{i}", ids, random.Next(5) == 0, random.Next(1, 3), 0),
                2 => new DrilledRequest(IntakeDrill.Pipeline, $"p{i}", ids, random.Next(5) == 0, 0, random.Next(1, 3)),
                _ => new DrilledRequest(IntakeDrill.Pipeline, $"p{i}", ids, random.Next(5) == 0, 1, 1),
            };
        })];
    }
}
