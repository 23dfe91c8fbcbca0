extern alias stale;

using Xunit;

namespace TokenKit.Native.Tests;

public class GuardTests
{
    [Fact]
    public void Bindings_of_another_build_are_refused()
    {
        Native.Resolve(typeof(stale::TokenKit.Native.TokenClient).Assembly);

        var error = Assert.Throws<TypeInitializationException>(() => stale::TokenKit.Native.TokenClient.Create());

        var reason = Assert.IsType<TypeLoadException>(error.InnerException);
        Assert.Contains("differs from hash in bindings", reason.Message, StringComparison.Ordinal);
    }
}
