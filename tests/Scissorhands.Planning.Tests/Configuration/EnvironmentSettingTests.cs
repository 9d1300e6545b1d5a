namespace Scissorhands.Planning.Tests.Configuration;

/// <summary>Settings from variables and from files that variables name.</summary>
public sealed class EnvironmentSettingTests : IDisposable
{
    private const string Secret = "amqp://u:hush@h";
    private readonly string _variable = $"SCISSORHANDS_TEST_{Guid.NewGuid():N}";
    private readonly string _file = Path.GetTempFileName();

    public void Dispose()
    {
        Environment.SetEnvironmentVariable(_variable, null);
        Environment.SetEnvironmentVariable(_variable + "_FILE", null);
        File.Delete(_file);
    }

    [Fact]
    public void Read_variableOrFile_isTheSame()
    {
        Assert.Null(EnvironmentSetting.Read(_variable));
        Environment.SetEnvironmentVariable(_variable, Secret);
        Assert.Equal(Secret, EnvironmentSetting.Read(_variable));

        Environment.SetEnvironmentVariable(_variable, null);
        File.WriteAllText(_file, Secret + "\n");
        Environment.SetEnvironmentVariable(_variable + "_FILE", _file);
        Assert.Equal(Secret, EnvironmentSetting.Read(_variable));
    }

    [Fact]
    public void Read_bothOrNoFileOrAnEmptyOrAHugeOne_namesVariableAndFileAndNoValue()
    {
        File.WriteAllText(_file, Secret);
        Environment.SetEnvironmentVariable(_variable, Secret);
        Environment.SetEnvironmentVariable(_variable + "_FILE", _file);
        Refused("both set");

        Environment.SetEnvironmentVariable(_variable, null);
        File.WriteAllText(_file, " \n");
        Refused($"{_variable}_FILE {_file}: is empty");
        File.WriteAllText(_file, new string('x', 1 << 17));
        Refused("larger than");
        Environment.SetEnvironmentVariable(_variable + "_FILE", _file + "-none");
        Refused("cannot be read");
    }

    private void Refused(string with)
    {
        var message = Assert.Throws<InputException>(() => EnvironmentSetting.Read(_variable)).Message;
        Assert.Contains(with, message, StringComparison.Ordinal);
        Assert.Contains(_variable, message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", message, StringComparison.Ordinal);
    }
}
