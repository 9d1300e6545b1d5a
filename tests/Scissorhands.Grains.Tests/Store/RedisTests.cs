using System.Net.Sockets;
using System.Text;
using Scissorhands.Testing;

namespace Scissorhands.Grains.Tests.Store;

/// <summary>The server that tests of the cluster use, which is to hold nothing beyond its process.</summary>
public sealed class RedisTests
{
    [Fact]
    public async Task Redis_FlushedOrRestarted_IsEmpty()
    {
        await using var redis = new Redis();
        await redis.StartAsync();
        if (redis.Missing is { } missing)
        {
            Assert.Skip(missing);
        }

        Assert.Equal("+OK", await AskAsync(redis, "SET a 1"));
        Assert.Equal(":1", await AskAsync(redis, "DBSIZE"));
        await redis.FlushAsync();
        Assert.Equal(":0", await AskAsync(redis, "DBSIZE"));
        await AskAsync(redis, "SET a 1");
        await redis.RestartAsync();
        Assert.Equal(":0", await AskAsync(redis, "DBSIZE"));
    }

    private static async Task<string?> AskAsync(Redis redis, string command)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", redis.Port, TestContext.Current.CancellationToken);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(command + "\r\n"), TestContext.Current.CancellationToken);
        using var reader = new StreamReader(client.GetStream());
        return await reader.ReadLineAsync(TestContext.Current.CancellationToken);
    }
}
