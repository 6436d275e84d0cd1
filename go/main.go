package main
import ("bytes";"fmt";"io";"net/http";"os")
type once struct{ r io.Reader }
func (o once) Read(p []byte) (int, error) { return o.r.Read(p) }
func main(){
 for i:=0;i<3;i++{
  for _,exp:=range []bool{false,true}{
  req,_:=http.NewRequest("POST","http://127.0.0.1:"+os.Args[1]+"/v1/my-app/presences",once{bytes.NewReader([]byte(`{"userIds":["alice"]}`))})
  req.Header.Set("Authorization","Bearer use-32-random-characters-or-more")
  req.Header.Set("Content-Type","application/json")
  if exp {req.Header.Set("Expect","100-continue")}
  res,err:=http.DefaultClient.Do(req); if err!=nil{fmt.Println("go",err);continue}
  b,_:=io.ReadAll(res.Body); res.Body.Close(); fmt.Println("go",exp,res.StatusCode,string(b))
 }}
}
