using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using CsCheck;
using Scissorhands.Messaging.Frames;
using Scissorhands.Messaging.Rabbit.Bodies;

namespace Scissorhands.Messaging.Tests.Rabbit;

public sealed class BodiesTests
{
    private const int FrameMax = 512;
    private static readonly byte[] Greeting = "AMQP\0\0\t\u0001"u8.ToArray();

    private static readonly Gen<byte[]> Body = Gen.OneOf(Gen.Const(Array.Empty<byte>()), Gen.Byte.Array[1, 40], Gen.Byte.Array[400, 2500]);

    private static readonly Gen<int[]> Cuts = Gen.Int[1, 700].Array[1, 40];

    [Fact]
    public void Outgoing_anyPieces_putsBodiesBehindTheirHeaders() =>
        Gen.Select(Body.Array[1, 6], Cuts, Cuts).Sample((bodies, cuts, rooms) =>
        {
            var outgoing = new OutgoingBodies { FrameMax = FrameMax };
            var announced = bodies.Select(static b => new OutgoingBody(b)).ToArray();
            var plain = new List<byte>(Greeting);
            foreach (var body in announced)
            {
                outgoing.Announce(body);
                plain.AddRange([.. Method(), .. Header(0), .. Heartbeat()]);
            }

            var sent = new List<byte>();
            var (at, cut, room) = (0, 0, 0);
            while (at < plain.Count || outgoing.Body.Left > 0)
            {
                var destination = new byte[OutgoingBodies.LeastRoom + rooms[room++ % rooms.Length]];
                if (outgoing.Body.Left > 0)
                {
                    sent.AddRange(destination[..outgoing.Body.Write(destination)]);
                    continue;
                }

                var piece = plain.Skip(at).Take(cuts[cut++ % cuts.Length]).ToArray();
                var (taken, written) = outgoing.Scan(piece, destination);
                at += taken;
                sent.AddRange(destination[..written]);
            }

            Assert.Equal([.. Greeting, .. bodies.SelectMany(static b => (byte[])[.. Method(), .. Header(b.Length), .. Frames(b), .. Heartbeat()])], sent);
            Assert.All(announced, static body => Assert.True(body.Sent.IsCompletedSuccessfully));
        });

    [Fact]
    public void Outgoing_bodyNotAnnounced_isRefused()
    {
        var outgoing = new OutgoingBodies();
        outgoing.Scan(Greeting, new byte[64]);
        Assert.Throws<IOException>(() => outgoing.Scan(Header(0), new byte[64]));
    }

    [Fact]
    public void Outgoing_ended_givesEveryBodyUp()
    {
        var outgoing = new OutgoingBodies();
        var body = new OutgoingBody(new byte[10]);
        outgoing.Announce(body);
        outgoing.End(new IOException("over"));
        Assert.True(body.Sent.IsFaulted);
        Assert.Throws<IOException>(() => outgoing.Announce(new OutgoingBody(new byte[1])));
    }

    [Fact]
    public void Incoming_anyPieces_takesBodiesOut() =>
        Gen.Select(Body.Array[1, 6], Cuts, Gen.Bool).Sample((bodies, cuts, direct) =>
        {
            byte[] stream = [.. bodies.SelectMany(static b => (byte[])[.. Heartbeat(), .. Method(), .. Header(b.Length), .. Frames(b)])];
            using var incoming = new IncomingBodies();
            var (shown, taken) = Read(incoming, stream, cuts, direct);
            Assert.Equal([.. bodies.SelectMany(static _ => (byte[])[.. Heartbeat(), .. Method(), .. Header(0)])], shown);
            Assert.Equal(bodies, taken);
        });

    [Fact]
    public void Incoming_bodyBeyondAllChunks_isNotKeptAndTheNextIs()
    {
        var large = new byte[FrameHeader.MaxPayload + 1];
        byte[] small = [1, 2, 3];
        byte[] stream = [.. Method(), .. Header(large.Length), .. Frames(large), .. Method(), .. Header(small.Length), .. Frames(small)];
        using var incoming = new IncomingBodies();
        var (shown, taken) = Read(incoming, stream, [100_000], direct: true);
        Assert.Equal([.. Method(), .. Header(0), .. Method(), .. Header(0)], shown);
        Assert.Equal([[], small], taken);
    }

    [Fact]
    public void Incoming_damaged_endsWithAnErrorOrNothingWorse() =>
        Gen.Select(Body.Array[1, 4], Cuts, Gen.Select(Gen.Int[0, 100_000], Gen.Byte).Array[1, 4]).Sample((bodies, cuts, damage) =>
        {
            byte[] stream = [.. bodies.SelectMany(static b => (byte[])[.. Method(), .. Header(b.Length), .. Frames(b)])];
            foreach (var (at, value) in damage)
            {
                stream[at % stream.Length] ^= value;
            }

            using var incoming = new IncomingBodies();
            try
            {
                Read(incoming, stream, cuts, direct: true);
            }
            catch (IOException)
            {
                // Said, and the connection ends.
            }
        });

    [Fact]
    public async Task Send_socketThatIsFull_sendsAllOfItOnce()
    {
        var bytes = new byte[3_000_000];
        new Random(1).NextBytes(bytes);
        byte[] expected = Frames(bytes);
        var (sender, receiver) = await ConnectAsync();
        using (sender)
        using (receiver)
        {
            sender.SendBufferSize = 64 << 10;
            var body = new OutgoingBody(bytes);
            var frames = new BodyFrames();
            frames.Begin(body, FrameMax, 1);
            var received = new byte[expected.Length];
            var got = 0;
            while (got < received.Length)
            {
                if (frames.Left > 0)
                {
                    frames.Send(sender.SafeHandle, default);
                }

                if (got > received.Length / 2 && !body.Sent.IsCompleted)
                {
                    // Whoever gives up may do with the memory what they like.
                    body.GiveBack();
                    bytes.AsSpan().Clear();
                }

                got += await receiver.ReceiveAsync(received.AsMemory(got), SocketFlags.None, TestContext.Current.CancellationToken);
            }

            Assert.Equal(expected, received);
            Assert.True(body.Sent.IsCompletedSuccessfully);
        }
    }

    private static async Task<(Socket Sender, Socket Receiver)> ConnectAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var sender = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var accepting = listener.AcceptAsync();
        await sender.ConnectAsync(listener.LocalEndPoint!);
        return (sender, await accepting);
    }

    private static (List<byte> Shown, List<byte[]> Bodies) Read(IncomingBodies incoming, byte[] stream, int[] cuts, bool direct)
    {
        var shown = new List<byte>();
        var bodies = new List<byte[]>();
        var output = new byte[64];
        var (start, end, cut) = (0, 0, 0);
        while (end < stream.Length)
        {
            var count = Math.Min(cuts[cut++ % cuts.Length], stream.Length - end);
            if (direct && start == end && incoming.Rest is { IsEmpty: false } rest)
            {
                count = Math.Min(count, rest.Length);
                stream.AsSpan(end, count).CopyTo(rest.Span);
                incoming.Advance(count);
                start = end += count;
                continue;
            }

            end += count;
            start += incoming.Scan(stream.AsSpan(start, end - start));
            for (var taken = incoming.Take(output); taken > 0; taken = incoming.Take(output))
            {
                shown.AddRange(output[..taken]);
            }

            while (incoming.TryTake(out var body))
            {
                bodies.Add(body.Memory.ToArray());
                body.End();
            }
        }

        return (shown, bodies);
    }

    private static byte[] Frame(byte type, byte[] payload)
    {
        var frame = new byte[payload.Length + 8];
        frame[0] = type;
        frame[2] = type == 8 ? (byte)0 : (byte)1;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(3), payload.Length);
        payload.CopyTo(frame, 7);
        frame[^1] = 0xCE;
        return frame;
    }

    private static byte[] Method() => Frame(1, [0, 60, 0, 60, 1, 2, 3]);

    private static byte[] Heartbeat() => Frame(8, []);

    private static byte[] Header(int bodyBytes)
    {
        var payload = new byte[30];
        payload[1] = 60;
        BinaryPrimitives.WriteInt64BigEndian(payload.AsSpan(4), bodyBytes);
        return Frame(2, payload);
    }

    private static byte[] Frames(byte[] body) => [.. body.Chunk(FrameMax - 8).SelectMany(static chunk => Frame(3, chunk))];
}
