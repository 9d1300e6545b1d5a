using System.Globalization;
using Scissorhands.Messaging.Collectives;
using Scissorhands.Messaging.Control;
using Scissorhands.Messaging.Rabbit;
using Scissorhands.Planning.Cut;

// One rank in a process that can be killed. Usage: RANK GENERATION LENGTH PEER_TIMEOUT_MS KEY_HEX; the broker's address in the
// environment. Says its queue, is told everybody's, then adds vectors up, step after step, until the group ends.
var rank = int.Parse(args[0], CultureInfo.InvariantCulture);
var generation = long.Parse(args[1], CultureInfo.InvariantCulture);
var values = new float[int.Parse(args[2], CultureInfo.InvariantCulture)];
var options = new CollectiveOptions { PeerTimeout = TimeSpan.FromMilliseconds(int.Parse(args[3], CultureInfo.InvariantCulture)) };
await using var link = await RabbitDataLink.ConnectAsync(ControlBus.BrokerFromEnvironment(), $"rank {rank}", CancellationToken.None);
Console.WriteLine($"queue {link.QueueName}");
var queues = (await Console.In.ReadLineAsync() ?? "").Split(' ');
await using var group = new RabbitCollectiveGroup(link, "run", generation, rank, queues, Convert.FromHexString(args[4]), options);
try
{
    for (var step = 0L; ; step++)
    {
        Array.Fill(values, 1 << rank);
        group.AllReduce(new OperationKey("gradient", step), queues.Length, [new SubtreeSum(new TreeNode(0, rank), values)], values).Wait(CancellationToken.None);
        if (Array.Exists(values, value => value != (1 << queues.Length) - 1))
        {
            Console.WriteLine($"wrong sum in step {step}");
            return 4;
        }
    }
}
catch (CollectiveException e)
{
    Console.WriteLine($"failed {e.Message}");
    return 3;
}
