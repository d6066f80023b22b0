// Quickstart MODEL QUESTION [IMAGE]
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

var services = new ServiceCollection();
services.AddPortable().AddCpuBackend().AddVision()
    .AddModel("assistant", model => model.Path = args[0])
    .AddChatClient("assistant");
await using ServiceProvider provider = services.BuildServiceProvider();
IChatClient client = provider.GetRequiredService<IChatClient>();

var message = new ChatMessage(ChatRole.User, args[1]);
if (args.Length > 2)
    message.Contents.Insert(0, await DataContent.LoadFromAsync(args[2]));
await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync([message]))
    Console.Write(update.Text);
