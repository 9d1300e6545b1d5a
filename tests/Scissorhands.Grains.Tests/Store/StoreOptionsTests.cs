using Scissorhands.Grains.Store;
using Scissorhands.Planning;

namespace Scissorhands.Grains.Tests.Store;

public sealed class StoreOptionsTests
{
    [Theory]
    [InlineData("runs.db")]
    [InlineData("sqlite:some where/runs.db")]
    [InlineData("sqlite:runs")]
    [InlineData("/var/lib/runs.SQLite3")]
    [InlineData("postgres://user:p%40ss@host:5433/db?sslmode=require")]
    [InlineData("postgresql://host/db")]
    [InlineData("Host=host;Password=x")]
    [InlineData("username=u;server = host")]
    public void Parse_KnownForms_AreTaken(string text) => Assert.Equal(text, StoreOptions.Parse(text).Connection);

    [Theory]
    [InlineData("")]
    [InlineData("sqlite:")]
    [InlineData("sqlite")]
    [InlineData("hush7")]
    [InlineData("sqllite:hush7.db")]
    [InlineData("postgres:user:hush7@host/db")]
    [InlineData("postgress://user:hush7@host/db")]
    [InlineData("Hst=host;Password=hush7")]
    [InlineData("Hst=host;pass=hush7")]
    [InlineData(":memory:")]
    [InlineData("mysql://user:hush7@host/db")]
    [InlineData("postgres://user:hush7@host:port/db")]
    [InlineData("postgres://user:hush7@host/db?hush7=1")]
    [InlineData("postgres://user:#hush7@host/db")]
    [InlineData("postgres://")]
    [InlineData("Host=host;Password=a;hush7=x")]
    [InlineData("Host=host;Port=hush7")]
    [InlineData("Host=;Password=hush7")]
    [InlineData("Database=x;Password=hush7")]
    public void Parse_Others_AreRefusedWithoutShowingThem(string text)
    {
        var thrown = Assert.Throws<InputException>(() => StoreOptions.Parse(text));
        Assert.DoesNotContain("hush7", thrown.ToString(), StringComparison.Ordinal);
        Assert.StartsWith("store: ", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_Named_TheMessageSaysWhereItCameFrom() =>
        Assert.StartsWith("SOME_VARIABLE: ", Assert.Throws<InputException>(() => StoreOptions.Parse("hush7", "SOME_VARIABLE")).Message, StringComparison.Ordinal);

    [Fact]
    public void ToString_Password_IsNotShown() =>
        Assert.DoesNotContain("hush7", $"{StoreOptions.Parse("postgres://user:hush7@host/db")}", StringComparison.Ordinal);
}
